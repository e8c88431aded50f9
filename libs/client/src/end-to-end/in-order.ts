/**
 * Has what was begun first finished first, whatever takes longer. Numbers of a sender only rise: a letter that takes longer to open than the one behind it would count as
 * one that was opened before.
 *
 * @param begun may go on beside others @param finish one after the other, in the order of the calls; not at all where `begun` rejects
 */
export type InOrder = <T, Result>(begun: Promise<T>, finish: (done: T) => Promise<Result>) => Promise<Result>;

export function createInOrder(): InOrder {
  let last: Promise<unknown> = Promise.resolve();
  return (begun, finish) => {
    // It is looked at when its turn comes.
    begun.catch(() => {});
    const finished = last.then(() => begun).then(finish);
    last = finished.catch(() => {});
    return finished;
  };
}
