// Errors of the server in the shape of OpenAI's API, with their status.
import { CancelledError, errorRecord } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';

export type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 413 | 429 | 500 | 503;

export interface ApiErrorDetails {
  /** The parameter that is wrong. */
  param?: string | null;
  code?: string | null;
  headers?: Record<string, string>;
}

const TYPES: Partial<Record<ErrorStatus, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  429: 'rate_limit_error',
  500: 'server_error',
  503: 'service_unavailable',
};

export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: ErrorStatus,
    message: string,
    private readonly details: ApiErrorDetails = {},
  ) {
    super(message);
  }

  get headers(): Record<string, string> {
    return this.details.headers ?? {};
  }

  get body(): { error: { message: string; type: string; param: string | null; code: string | null } } {
    const { param = null, code = null } = this.details;
    return { error: { message: this.message, type: TYPES[this.status] ?? 'invalid_request_error', param, code } };
  }
}

/** Any error as one of the API. Faults of the program say what happened, without a stack trace. */
export function apiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof CancelledError) return new ApiError(503, 'The answer was stopped: the server is ending.');
  const { message, key, hint } = errorRecord(error);
  if (!(error instanceof InputError)) return new ApiError(500, message);
  const said = [message, hint].filter(Boolean).join('. ');
  return new ApiError(400, key ? `${key}: ${said}` : said, { param: key });
}
