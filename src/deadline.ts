// A promise with a deadline: everything that waits has one.

/** Settles as the promise does. @throws Error once the time is over; the promise itself goes on unheard */
export function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), Math.max(0, timeoutMs));
    const settle =
      <V>(tell: (settled: V) => void) =>
      (settled: V) => {
        clearTimeout(timer);
        tell(settled);
      };
    promise.then(settle(resolve), settle(reject));
  });
}
