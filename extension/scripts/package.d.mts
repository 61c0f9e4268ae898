/** Builds and packages the extension. @returns the path of the .vsix */
export function packageExtension(options?: { out?: string }): Promise<string>;
