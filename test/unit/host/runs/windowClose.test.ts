import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FolderRunService } from '../../../../extension/src/host/runs/runService.js';
import { registerWindowClose } from '../../../../extension/src/host/runs/windowClose.js';

const editor = vi.hoisted(() => ({
  setting: 'ask',
  answer: undefined as string | undefined,
  questions: 0,
  windowIsThere: true,
  isTrusted: true,
  settingChanged: () => {},
}));
vi.mock('vscode', () => ({
  commands: { executeCommand: () => (editor.windowIsThere ? Promise.resolve() : new Promise(() => {})) },
  Disposable: { from: (...all: { dispose(): void }[]) => ({ dispose: () => all.forEach(each => each.dispose()) }) },
  ConfigurationTarget: { Global: 1 },
  window: {
    showInformationMessage: async () => {
      editor.questions++;
      return editor.answer;
    },
  },
  workspace: {
    get isTrusted() {
      return editor.isTrusted;
    },
    onDidChangeConfiguration: (listener: (event: { affectsConfiguration(): boolean }) => void) => {
      editor.settingChanged = () => listener({ affectsConfiguration: () => true });
      return { dispose: () => {} };
    },
    getConfiguration: () => ({
      get: () => editor.setting,
      update: async (_key: string, value: string) => (editor.setting = value),
    }),
  },
}));

/** A window that started one of two running runs; `start` fires as when another is started. */
function service() {
  const run = () => ({
    attended: 0,
    endsWithWindows: false,
    attend() {
      this.attended++;
      this.endsWithWindows = true;
    },
    outliveWindows() {
      this.endsWithWindows = false;
    },
  });
  const [own, other] = [run(), run()];
  let listener = () => {};
  const runs = {
    alive: () => [own, other],
    startedHere: () => [own],
    onDidStart: (given: () => void) => {
      listener = given;
      return { dispose: () => {} };
    },
  } as unknown as FolderRunService;
  registered.push(registerWindowClose(runs));
  return { own, other, start: () => listener() };
}

const registered: { dispose(): void }[] = [];
beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(editor, { setting: 'ask', answer: undefined, questions: 0, windowIsThere: true, isTrusted: true });
});
afterEach(() => {
  registered.splice(0).forEach(each => each.dispose());
  vi.useRealTimers();
});

describe('whether runs keep training when their window closes', () => {
  it('is asked once, at the first start, and saved as a setting', async () => {
    editor.answer = 'Stop Training';
    const { start } = service();
    expect(editor.questions).toBe(0);
    start();
    start();
    await vi.advanceTimersByTimeAsync(0);
    expect(editor.setting).toBe('stop');
    expect(editor.questions).toBe(1);
  });

  it('is not asked if the setting has the answer', () => {
    editor.setting = 'keepRunning';
    const { start } = service();
    start();
    expect(editor.questions).toBe(0);
  });

  it.each(['keepRunning', 'ask'])('with %s no run is marked', async setting => {
    editor.setting = setting;
    const { own, other, start } = service();
    start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([own.attended, other.attended]).toEqual([0, 0]);
  });

  it('with stop the window marks the runs that it started, from the start on and repeatedly', async () => {
    editor.setting = 'stop';
    const { own, other, start } = service();
    start();
    expect(own.attended).toBe(1);
    await vi.advanceTimersByTimeAsync(600_000);
    expect([own.attended, other.attended]).toEqual([121, 0]);
  });

  it('a run that should end with another window, or with this one before a reload, is marked by this one as well', async () => {
    editor.setting = 'stop';
    const { other } = service();
    other.endsWithWindows = true;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(other.attended).toBe(1);
  });

  it('a window that stops answering marks nothing', async () => {
    editor.setting = 'stop';
    const { own } = service();
    editor.windowIsThere = false;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(own.attended).toBe(11);
  });

  it('marks nothing in Restricted Mode, and does once the workspace is trusted', async () => {
    Object.assign(editor, { setting: 'stop', isTrusted: false });
    const { own, other } = service();
    own.endsWithWindows = other.endsWithWindows = true;
    editor.settingChanged();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([own.attended, other.attended]).toEqual([0, 0]);
    editor.setting = 'keepRunning';
    editor.settingChanged();
    expect(own.endsWithWindows).toBe(true);
    Object.assign(editor, { setting: 'stop', isTrusted: true });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(own.attended).toBe(1);
  });

  it('a change of the setting applies immediately', () => {
    const { own } = service();
    editor.setting = 'stop';
    editor.settingChanged();
    expect(own.endsWithWindows).toBe(true);
    editor.setting = 'keepRunning';
    editor.settingChanged();
    expect(own.endsWithWindows).toBe(false);
  });
});
