// Headless Chromium for the tests, without background requests. It can run as root, without a display and with a small
// /dev/shm, as in a container.
import { chromium, type Browser } from 'playwright-core';
import { chromiumPath } from '../../extension/scripts/testTools.mjs';

/** @throws Error that says how to install it, if it is missing */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath(),
    headless: true,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  });
}
