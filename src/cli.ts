import './node-version.ts'

import { providers } from '../plugins/index.ts'
import { runCommand } from './command-line/run.ts'

// Not process.exit: what was written to a pipe must arrive first.
process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  providers,
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
})
