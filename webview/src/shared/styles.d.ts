// esbuild collects imported styles; they export nothing.
declare module '*.css';
