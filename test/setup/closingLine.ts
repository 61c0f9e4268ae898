// Ends a test run with the plain line that tools look for: "N passed, N failed, N skipped".
import type { Reporter, TestCase, TestModule } from 'vitest/node';

export default class ClosingLine implements Reporter {
  private readonly counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };

  onTestCaseResult(test: TestCase): void {
    this.counts[test.result().state]++;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    // A file that doesn't even load has no test case to fail.
    const broken = modules.filter(module => module.errors().length > 0).length;
    const { passed, failed, skipped } = this.counts;
    process.on('exit', () => {
      console.log(`${passed} passed, ${failed + broken + unhandledErrors.length} failed, ${skipped} skipped`);
    });
  }
}
