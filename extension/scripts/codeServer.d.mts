export interface CodeServerOptions {
  /** Empty folder for profile, extensions and log. */
  folder: string;
  /** Installed before the start. */
  vsix?: string;
  /** Enable Workspace Trust; otherwise everything is trusted. */
  workspaceTrust?: boolean;
  /** Lets the page run tests inside the extension host. */
  testDriver?: boolean;
  settings?: Record<string, unknown>;
  env?: Record<string, string>;
  /** Default: a free port. */
  port?: number;
}

export interface CodeServer {
  url: string;
  /** Prefix of extension paths in a test run. */
  authority: string;
  logFile: string;
  stop(): Promise<void>;
}

/** Resolves once the server responds. @throws Error naming its log, or what must be installed */
export function startCodeServer(options: CodeServerOptions): Promise<CodeServer>;
