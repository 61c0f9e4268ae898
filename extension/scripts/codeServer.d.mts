export interface CodeServerOptions {
  /** Empty folder for profile, extensions and log. */
  folder: string;
  /** Installed before the start. */
  vsix?: string;
  /** Ask whether the workspace is trusted; otherwise everything is. */
  workspaceTrust?: boolean;
  /** Lets the page run tests inside the extension host. */
  testDriver?: boolean;
  settings?: Record<string, unknown>;
  env?: Record<string, string>;
  /** A free one where it isn't named. */
  port?: number;
}

export interface CodeServer {
  url: string;
  /** What the extension paths of a test run begin with. */
  authority: string;
  logFile: string;
  stop(): Promise<void>;
}

/** Resolves once it answers. @throws Error that says where its log is, or what has to be installed */
export function startCodeServer(options: CodeServerOptions): Promise<CodeServer>;
