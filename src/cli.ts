import './node-version.ts'

import { providers } from '../plugins/index.ts'
import { runCommand } from './command-line/run.ts'

// Not process.exit(), which would drop output that a pipe has not taken yet.
process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  providers,
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
  terminal: process.stderr.isTTY,
})
