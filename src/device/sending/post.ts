// Posts as a device: signs with the server's time if the device's own is wrong, and reads what the answer asks for.
import { exchange, type DeviceClientOptions, type DeviceRequest } from '../exchange.ts';

export type Answer = {
  /** 0 if there was none. */
  httpStatus: number;
  text: string;
  retryAfterS: number | undefined;
  /** In words. */
  reason: string;
};

export type Post = (request: Pick<DeviceRequest, 'path'> & { contentType: string; body: string }) => Promise<Answer>;

/** The bridge accepts 300. */
const CLOCK_TOLERANCE_S = 250;

/** @param onClockDiffers told by how many seconds the server's clock is ahead */
export function createPost(device: DeviceClientOptions, onClockDiffers: (byS: number) => void): Post {
  const clock = device.now ?? Date.now;
  let offsetMs = 0;
  const now = () => clock() + offsetMs;

  return async (request) => {
    const once = () => exchange({ method: 'POST', ...request }, { ...device, now });
    let exchanged = await once();
    if ('response' in exchanged && exchanged.response.status === 401) {
      const serverMs = Date.parse(exchanged.response.headers.get('date') ?? '');
      if (Math.abs(serverMs - now()) > CLOCK_TOLERANCE_S * 1000) {
        offsetMs = serverMs - clock();
        onClockDiffers(Math.round(offsetMs / 1000));
        exchanged = await once();
      }
    }
    if (!('response' in exchanged)) {
      return { httpStatus: 0, text: '', retryAfterS: undefined, reason: exchanged.reason };
    }
    const { response, text } = exchanged;
    const { status: httpStatus, headers } = response;
    return { httpStatus, text, retryAfterS: readRetryAfterS(headers, clock()), reason: `answered ${httpStatus}` };
  };
}

/** Seconds are rounded up; a date counts from the server's own. */
function readRetryAfterS(headers: Headers, nowMs: number): number | undefined {
  const value = headers.get('retry-after') ?? '';
  if (/^\d{1,10}(\.\d+)?$/.test(value)) return Math.floor(Number(value)) + 1;
  const untilMs = Date.parse(value);
  if (Number.isNaN(untilMs)) return undefined;
  const sinceMs = Date.parse(headers.get('date') ?? '');
  return Math.max(0, Math.ceil((untilMs - (Number.isNaN(sinceMs) ? nowMs : sinceMs)) / 1000));
}
