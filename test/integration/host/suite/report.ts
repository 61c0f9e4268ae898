// What the suite writes and extensionHost.host.ts reads; apart from both, so that mocha's globals stay in the suite.
export interface HostTestResult {
  title: string;
  durationMs: number;
  failure: string | null;
}

export interface HostTestReport {
  results: HostTestResult[];
  /** Measurements. */
  figures: Record<string, number>;
}
