// Imported first by each webview's main.ts: zod would compile its checks with eval, which the page's policy forbids and
// reports. Schemas look at this when they are made, so it has to come before the modules that make some.
import * as z from 'zod';

z.config({ jitless: true });
