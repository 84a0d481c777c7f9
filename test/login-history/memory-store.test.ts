import t from 'tap'
import { createMemoryLoginHistory } from '../../src/login-history/memory-store.ts'
import { runHistoryConformance } from './store-conformance.ts'

await runHistoryConformance(t, async () => createMemoryLoginHistory())
