// Runs axe-core on a page or on a webview's frame in a workbench, which must have no serious or critical violations. A page has the
// same elements in every theme: beside the dark one, `npm test` looks at colours only.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame, Page } from 'playwright-core';
import { expect } from 'vitest';
import { testsAll } from '../../support/matrix.js';
import { root } from './harness.js';

const axe = readFileSync(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');

/** @param behind theme variable of the background behind the webview, which is transparent */
export async function expectAccessible(page: Page | Frame, behind?: string): Promise<void> {
  if (behind) await page.evaluate(name => (document.body.style.background = `var(${name})`), behind);
  // Evaluated by the debugger, since the page's policy forbids eval.
  await page.evaluate(axe);
  const found = await page.evaluate(async all => {
    const { axe } = window as unknown as { axe: { run(options: object): Promise<{ violations: Violation[] }> } };
    const colours = { runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } };
    const { violations } = await axe.run(all || document.body.classList.contains('vscode-dark') ? {} : colours);
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(
        ({ id, nodes }) =>
          `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`,
      );
  }, testsAll);
  expect(found).toEqual([]);
}

interface Violation {
  id: string;
  impact: string;
  nodes: { target: string[]; failureSummary: string }[];
}
