// Ends a test run with a line for tools: "N passed, N failed, N skipped".
import type { Reporter, TestCase, TestModule } from 'vitest/node';

export default class ClosingLine implements Reporter {
  private readonly counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };

  onTestCaseResult(test: TestCase): void {
    this.counts[test.result().state]++;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    // A file that fails to load has no test case that fails.
    const broken = modules.filter(module => module.errors().length > 0).length;
    const { passed, failed, skipped } = this.counts;
    process.on('exit', code => {
      const failures = failed + broken + unhandledErrors.length;
      // A run that fails without a failed test (no file found, set-up threw) must not look like a success.
      console.log(`${passed} passed, ${failures === 0 && code !== 0 ? 1 : failures} failed, ${skipped} skipped`);
    });
  }
}
