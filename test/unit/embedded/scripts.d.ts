// The scripts are plain JavaScript outside the TypeScript project; in their tests, their exports have no types.
declare module '*.mjs';
