// The chat format of the embedded model: its special tokens, its Jinja template, and the same rendering in JavaScript for the
// corpus. A test checks that the two are equal. Called by writeCorpus.mjs and trainTokenizer.mjs.

/** The padding token. */
export const endOfText = '<|endoftext|>';
export const turnStart = '<|im_start|>';
/** Ends a turn and a plain text: the model's end-of-sequence token. */
export const turnEnd = '<|im_end|>';

/** In the order of their ids, which start at 0. */
export const specialTokens = [endOfText, turnStart, turnEnd];

export const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** @param {{ role: string, content: string }[]} messages @returns {string} */
export const renderChat = messages =>
  messages.map(({ role, content }) => `${turnStart}${role}\n${content}${turnEnd}\n`).join('');
