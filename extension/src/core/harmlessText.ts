// Text from outside (rows, models, paths, answers, the engine's messages) made harmless where a program gives some characters a
// meaning: VS Code renders links and icons in notifications, quick picks and the status bar, a terminal obeys escape sequences.
// Neither has an escape character for all of these places, so the sequences are broken up or made visible.

const ZERO_WIDTH_SPACE = '\u200b';
/** Control characters except tab and line feed, and those that change the direction of the text after them. */
const CONTROLS = /(?![\t\n])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu;

/** `text` for VS Code: what would be a link `[label](target)` or an icon `$(name)` is shown as its characters. */
export function harmlessText(text: string): string {
  return visibleControls(text).replaceAll('](', `]${ZERO_WIDTH_SPACE}(`).replaceAll('$(', `$${ZERO_WIDTH_SPACE}(`);
}

/** `text` for a terminal: control characters as their escapes, such as `\x1b`; tabs and line ends as they are. */
export function visibleControls(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(CONTROLS, character => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}
