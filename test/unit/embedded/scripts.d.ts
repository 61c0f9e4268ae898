// The scripts are plain JavaScript outside of the TypeScript project; their tests take their exports as they come.
declare module '*.mjs';
