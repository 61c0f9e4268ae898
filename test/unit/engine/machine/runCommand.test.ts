// What the error of another program shows.
import { expect, test } from 'vitest';
import { runCommand } from '../../../../extension/src/engine/machine/runCommand.js';

test('a program that fails is quoted without the logins in its output', async () => {
  const script = 'console.error("Location https://me:secret@index.example/x is ignored"); process.exit(3)';
  const failed = runCommand(process.execPath, ['-e', script]);
  await expect(failed).rejects.toThrow('failed (3)\n    Location https://index.example/x is ignored');
});
