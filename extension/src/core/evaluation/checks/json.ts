// The answer is JSON, of a schema if there is one.
import { Ajv, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as z from 'zod';
import { about } from '../../../protocol/about.js';
import { InputError } from '../../inputError.js';
import { checkType, passedIf } from './check.js';
import { linearRegExp } from './linearRegExp.js';

export const json = checkType({
  type: 'json',
  title: 'JSON',
  description: 'The whole answer is JSON and matches the JSON schema, if there is one',
  schema: z.strictObject({
    schema: z
      .record(z.string(), z.unknown())
      .nullable()
      .default(null)
      .meta(
        about(
          'Schema',
          'JSON schema of draft 2020-12, or of draft 7 if its $schema says so; no format, no references to elsewhere',
        ),
      ),
    code_block: z
      .boolean()
      .default(false)
      .meta(about('Code block', 'Also passes if the answer is one Markdown code block with the JSON')),
  }),
  example: {
    options: { schema: { type: 'object', required: ['city'], properties: { city: { type: 'string' } } } },
    passes: '{"city": "Paris"}',
    fails: '{"town": "Paris"}',
  },
  prepare({ schema, code_block: codeBlock }) {
    const validate = schema && compile(schema);
    return ({ text }) => {
      const inner = codeBlock ? CODE_BLOCK.exec(text.trim())?.[1] : undefined;
      let value: unknown;
      try {
        value = JSON.parse(inner ?? text);
      } catch (error) {
        return passedIf(false, `it is not JSON: ${(error as Error).message}`);
      }
      return passedIf(!validate || matches(validate, value), validate?.errors ? reasonOf(validate) : '');
    };
  },
});

const CODE_BLOCK = /^```[a-z]*[ \t]*\r?\n([^]*?)\r?\n?```$/i;

const OPTIONS: Options = {
  // Unknown keywords are errors, rather than rules that nothing checks.
  strict: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  allowUnionTypes: true,
  logger: false,
  ownProperties: true,
  code: { regExp: Object.assign(patternOf, { code: '' }) },
};

/** Reading the schema of schemas takes 10 ms. */
const draft2020 = once(() => new Ajv2020(OPTIONS));
const draft7 = once(() => new Ajv(OPTIONS));

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** ajv tells compiled patterns apart by their text. */
function patternOf(pattern: string) {
  return { ...linearRegExp(pattern), toString: () => pattern };
}

/** @throws InputError if the schema isn't one, or needs what isn't checked here */
function compile(schema: Record<string, unknown>): ValidateFunction {
  const isDraft7 = typeof schema.$schema === 'string' && schema.$schema.includes('draft-07');
  const ajv = isDraft7 ? draft7() : draft2020();
  try {
    return ajv.compile(schema);
  } catch (error) {
    const { message, hint } = error as InputError;
    throw new InputError(message.replace(/^(strict mode|schema is invalid): /, ''), {
      key: 'schema',
      hint:
        hint ??
        'Write a JSON schema of draft 2020-12; `format` and references to other documents are not checked here.',
    });
  } finally {
    // Another check may have a schema of the same $id.
    ajv.removeSchema(schema);
  }
}

/** @throws InputError for a schema that refers to itself without end */
function matches(validate: ValidateFunction, value: unknown): boolean {
  try {
    return validate(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError('the JSON schema refers to itself without end', { key: 'schema', hint: 'Remove a $ref.' });
  }
}

function reasonOf({ errors }: ValidateFunction): string {
  const [{ instancePath, message } = { instancePath: '', message: 'is wrong' }] = errors ?? [];
  return `its JSON ${instancePath === '' ? '' : `at ${instancePath} `}${message}`;
}
