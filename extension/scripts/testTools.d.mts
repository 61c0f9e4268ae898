export function testToolsFolder(): string;
export function codeServerProgram(): { node: string; entry: string };
export function chromiumPath(): string;
