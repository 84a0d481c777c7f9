import type { ParseArgsOptionsConfig } from 'node:util'
import { parseArgs } from 'node:util'
import type { Environment } from '../config/variables.ts'
import { OperatorError } from '../operator-error.ts'
import type { ProviderDeclaration } from '../providers/settings.ts'

/** What a command gets from the process. */
export interface CommandContext {
  readonly env: Environment
  readonly providers: readonly ProviderDeclaration[]
  /** Prints a remark to standard error, beside the output. */
  readonly note: (text: string) => void
  /** Shows how far a long command is, in one line that is replaced each time and removed by ''; only on a terminal. */
  readonly progress: (text: string) => void
}

/** Output that is printed as it is, and an exit code for what it says. */
export class CommandText {
  readonly text: string
  readonly exitCode: 0 | 1

  constructor(text: string, exitCode: 0 | 1) {
    this.text = text
    this.exitCode = exitCode
  }
}

/**
 * One command of the command line.
 * @returns its output, which is printed as JSON; a CommandText as it is
 * @throws {CommandError} and the errors of what it calls
 */
export type Command = (args: readonly string[], context: CommandContext) => Promise<unknown>

/** A command was called wrongly or cannot be carried out; the message is one sentence. */
export class CommandError extends OperatorError {
  override readonly name = 'CommandError'
}

/**
 * Splits arguments into options and positional words by node:util's parseArgs.
 * @throws {CommandError} naming the option that is unknown, or has no value
 */
export function parseWords<const Options extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true, allowNegative: true })
  } catch (error) {
    if (!(error instanceof TypeError && 'code' in error)) throw error
    // Only the first sentence: after it Node gives advice that does not fit here.
    const [sentence = ''] = error.message.split(/\. |\n/)
    throw new CommandError(`${sentence.replace(/\.$/, '')}: see --help.`)
  }
}

/**
 * The positional words of a command that takes exactly these.
 * @throws {CommandError} naming the word that is missing or too many
 */
export function takeWords<const Names extends readonly string[]>(
  words: readonly string[],
  names: Names,
): { readonly [index in keyof Names]: string }
export function takeWords(words: readonly string[], names: readonly string[]): readonly string[] {
  const missing = names[words.length]
  if (missing !== undefined) throw new CommandError(`${missing} is missing: see --help.`)
  const extra = words[names.length]
  if (extra !== undefined) throw new CommandError(`"${extra}" is one word too many: see --help.`)
  return words
}

/**
 * The command of this name.
 * @throws {CommandError} listing all commands
 */
export function chooseCommand(
  commands: Readonly<Record<string, Command>>,
  name: string | undefined,
  kind: string,
): Command {
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command !== undefined) return command
  const known = Object.keys(commands).join(', ')
  throw new CommandError(
    name === undefined ? `Name a ${kind}: ${known}.` : `There is no ${kind} "${name}": there are ${known}.`,
  )
}
