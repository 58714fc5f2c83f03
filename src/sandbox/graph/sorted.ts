// Sorted arrays with binary search, so that a page can start anywhere.

export type Compare<T> = (a: T, b: T) => number;

/** The first index whose element satisfies `isPast`; all later elements must satisfy it too. */
export function firstIndexWhere<T>(sorted: readonly T[], isPast: (element: T) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isPast(sorted[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Inserts an element in order; cheap if that is near the end. */
export function insertSorted<T>(sorted: T[], element: T, compare: Compare<T>): void {
  const last = sorted.at(-1);
  if (last === undefined || compare(last, element) <= 0) sorted.push(element);
  else
    sorted.splice(
      firstIndexWhere(sorted, (other) => compare(other, element) > 0),
      0,
      element,
    );
}

/** Removes the element that compares as equal, if there is one. */
export function removeSorted<T>(sorted: T[], element: T, compare: Compare<T>): void {
  const index = firstIndexWhere(sorted, (other) => compare(other, element) >= 0);
  const found = sorted[index];
  if (found !== undefined && compare(found, element) === 0) sorted.splice(index, 1);
}
