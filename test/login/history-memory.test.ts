import t from 'tap'
import { createMemoryLoginHistory } from '../../src/login/memory-login-history.ts'
import { runHistoryConformance } from './history-conformance.ts'

await runHistoryConformance(t, async () => createMemoryLoginHistory())
