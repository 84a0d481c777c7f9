import type { Language } from '../../docs/.vitepress/navigation.ts'
import type { DocumentedVariable } from '../../test/docs/variables.ts'
import { commonSuffixes, commonVariables } from '../../test/docs/variables.ts'
import type { Say } from './markdown.ts'
import { head, table } from './markdown.ts'

const words = {
  en: {
    title: 'Variables',
    intro:
      'Every variable that the service reads. Those of traces are [the standard ones of OpenTelemetry](../monitoring.md#traces). [.env.example](../../../.env.example) lists all of them, ready to be filled in.',
    common: 'The service',
    values:
      'Times are whole seconds. Blanks and line ends around a value are removed with a warning; an empty value counts as unset. Quotation marks around a value (`docker run --env-file` keeps them), line breaks and invisible characters inside it are refused at start, by the name of the variable. A name that is nearly one of these, and so read by nothing, is warned of.',
    columns: ['Variable', 'Meaning', 'Values', 'Default'],
    providers: 'Each provider',
    suffixes:
      'Each provider has these, with its name before them (`YANDEX_CLIENT_ID`); [its page](../providers/index.md) has the defaults, whatever it has besides, and what it does without. Half of the credentials is refused.',
    suffixColumns: ['Suffix', 'Meaning'],
    or: ' or ',
  },
  ru: {
    title: 'Переменные',
    intro:
      'Все переменные, которые читает сервис. У трассировки — [стандартные переменные OpenTelemetry](../monitoring.md#трассировка). Все они собраны для заполнения в [.env.example](../../../.env.example).',
    common: 'Сервис',
    values:
      'Время задаётся целыми секундами. Пробелы и переводы строк вокруг значения убираются с предупреждением; пустое значение равносильно отсутствию. Если значение взято в кавычки (`docker run --env-file` их не убирает) или внутри него есть перевод строки либо невидимый символ, сервис не запускается и называет переменную. Об имени, которое лишь похоже на одно из этих и потому не читается, он предупреждает.',
    columns: ['Переменная', 'Смысл', 'Значения', 'По умолчанию'],
    providers: 'У каждого провайдера',
    suffixes:
      'У каждого провайдера есть следующие переменные с его именем впереди (`YANDEX_CLIENT_ID`); значения по умолчанию, дополнительные и ненужные переменные — на [его странице](../providers/index.md). Если задан только идентификатор или только секрет, сервис не запустится.',
    suffixColumns: ['Суффикс', 'Смысл'],
    or: ' или ',
  },
} as const

/** What the common variables of a provider mean, by suffix: the code has no text for them. */
const suffixMeanings: Readonly<Record<string, string>> = {
  CLIENT_ID: 'Id of your application',
  CLIENT_SECRET: 'Its secret',
  AUTHORIZE_URL: 'Where the browser is sent',
  TOKEN_URL: 'Where the code is exchanged',
  USERINFO_URL: 'Where the profile is read',
  SCOPE: 'What is asked for, separated by spaces',
  PKCE: '`on`, or `off` for an application that refuses it, with a warning; VK ID needs it',
  TOKEN_AUTH:
    'Where id and secret stand in the token request: `basic` or `body`; `none` where no secret is needed',
}

/** The page of all variables except those that one provider alone has. */
export function variablesPage(language: Language, say: Say): string {
  const said = words[language]
  const rows = commonVariables().map((variable) => [
    `\`${variable.name}\``,
    say(variable.meaning),
    values(variable, said.or),
    variable.fallback === undefined ? '' : `\`${variable.fallback}\``,
  ])
  const suffixes = commonSuffixes.map((suffix) => [`\`_${suffix}\``, say(suffixMeanings[suffix] ?? suffix)])
  return [
    head(language, 'variables', said.title, said.intro),
    `## ${said.common}`,
    said.values,
    table(said.columns, rows),
    `## ${said.providers}`,
    said.suffixes,
    table(said.suffixColumns, suffixes),
  ].join('\n\n')
}

function values({ bounds }: DocumentedVariable, or: string): string {
  const [first = ''] = bounds
  if (/^\d+ to \d+$/.test(first)) return first.replace(' to ', '–')
  return bounds.map((choice) => `\`${choice}\``).join(or)
}
