/** Repeats `work`, sooner after a failure, without holding the process open. @returns what stops it */
export function poll(
  work: () => Promise<void>,
  every: number,
  onFailure: (error: unknown) => void,
): () => void {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const usual = () => every * (1 + Math.random() / 6)
  const schedule = (delay: number) => {
    if (stopped) return
    timer = setTimeout(() => {
      work().then(
        () => schedule(usual()),
        (error: unknown) => {
          onFailure(error)
          schedule(every / 10)
        },
      )
    }, delay)
    timer.unref()
  }
  schedule(usual())
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
