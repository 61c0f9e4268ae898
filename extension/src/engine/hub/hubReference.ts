// What a user may write for a model on the hub: `org/name`, `org/name:file.gguf`, `hf.co/org/name:Q4_K_M`, or the address of
// its page. Called by the pull and the resolver. Pure.

export interface HubReference {
  /** `org/name` */
  id: string;
  /** File name or a part of one, where a GGUF file is meant. */
  gguf: string | null;
}

/** @returns null where the text is no reference to the hub */
export function parseHubReference(text: string): HubReference | null {
  const bare = text.replace(/^(https?:\/\/)?(hf\.co|huggingface\.co)\//, '');
  const match = /^([\w-][\w.-]*\/[\w-][\w.-]*?)(?::([\w-][\w.-]*))?$/.exec(bare);
  return match ? { id: match[1], gguf: match[2] ?? null } : null;
}
