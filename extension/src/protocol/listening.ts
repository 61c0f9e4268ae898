// The first line that `tunewright serve --json` writes to standard output, once requests can be sent to it. Read by the host, which
// shows the address, and by other programs that start a server.
import * as z from 'zod';

export const listeningSchema = z.object({
  type: z.literal('listening'),
  /** Such as http://127.0.0.1:40123; the API is below its /v1. */
  url: z.url({ protocol: /^https?$/ }),
  /** The names that a request may have as its `model`; the base's own is the first. */
  models: z.array(z.string()).min(1),
});
export type Listening = z.infer<typeof listeningSchema>;
