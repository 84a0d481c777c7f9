import { serveBench } from './child.ts'

// Holds processes to a share of one core: halts each of them (SIGSTOP) for most of each period, one after the other. It runs in
// a process of its own, so that the load of the bench does not delay it. Arguments: the share, then the processes' ids.

/** Milliseconds: short beside a request's deadlines, long beside a switch between processes. */
const period = 20

const [share, ...pids] = process.argv.slice(2).map(Number)
if (share === undefined || !(share > 0 && share < 1)) throw new Error('The share is between 0 and 1.')

const hold = (pid: number) => {
  const turn = () => {
    process.kill(pid, 'SIGCONT')
    setTimeout(() => process.kill(pid, 'SIGSTOP'), period * share)
  }
  turn()
  setInterval(turn, period)
}
pids.forEach((pid, index) => setTimeout(() => hold(pid), (index * period) / pids.length))
process.once('exit', () => {
  for (const pid of pids) process.kill(pid, 'SIGCONT')
})
serveBench('')
