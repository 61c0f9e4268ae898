// Parses a reference to a model on the hub: `org/name`, `org/name:file.gguf`, `hf.co/org/name:Q4_K_M`, or the URL of its page.
// Called by pullModel.ts and resolveModel.ts. Pure.

export interface HubReference {
  /** `org/name` */
  id: string;
  /** File name of a GGUF file, or part of one. */
  gguf: string | null;
}

/** @returns null if the text is not a reference to the hub */
export function parseHubReference(text: string): HubReference | null {
  const bare = text.replace(/^(https?:\/\/)?(hf\.co|huggingface\.co)\//, '');
  const match = /^([\w-][\w.-]*\/[\w-][\w.-]*?)(?::([\w-][\w.-]*))?$/.exec(bare);
  return match ? { id: match[1], gguf: match[2] ?? null } : null;
}
