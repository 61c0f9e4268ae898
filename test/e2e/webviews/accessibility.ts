// axe-core on a page, or on a webview's frame in a workbench, as it stands: nothing serious or critical may be found.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame, Page } from 'playwright-core';
import { expect } from 'vitest';
import { root } from './harness.js';

const axe = readFileSync(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');

/** @param behind the theme variable of what a webview, which is transparent, stands on */
export async function expectAccessible(page: Page | Frame, behind?: string): Promise<void> {
  if (behind) await page.evaluate(name => (document.body.style.background = `var(${name})`), behind);
  // As an expression of the debugger's, since the page's policy allows no eval.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(
        ({ id, nodes }) =>
          `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`,
      );
  });
  expect(found).toEqual([]);
}

interface Violation {
  id: string;
  impact: string;
  nodes: { target: string[]; failureSummary: string }[];
}
