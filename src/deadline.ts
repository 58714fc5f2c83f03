// A promise with a deadline: everything that waits has one.

/** Settles as the promise does. @throws Error once the time is over; the promise itself goes on unheard */
export async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error(`no answer within ${timeoutMs} ms`));
  }, timeoutMs);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
