// Imported first by each webview's main.ts: zod would compile its checks with eval, which the content security policy
// forbids and reports. Schemas read this setting when they are created, so it must precede the modules that create
// some.
import * as z from 'zod';

z.config({ jitless: true });
