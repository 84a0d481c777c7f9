import type { Language } from '../../docs/.vitepress/navigation.ts'
import type { OpenapiDocument, Operation, Schema } from '../openapi-document.ts'
import type { Say } from './markdown.ts'
import { head, table } from './markdown.ts'
import { operations, problemNamesOf } from './operations.ts'

const words = {
  en: {
    title: 'HTTP API',
    intro:
      'Every request of the public port. A running service has the same at `/docs/`, and for generators at `/openapi.json` and `/openapi-3.0.json`. The admin API has [a page of its own](../admin-api.md). Every path answers with and without its last slash; every POST takes a form, urlencoded or multipart, and JSON with the same members.',
    access: 'Access',
    none: 'open to everybody',
    site: 'the id and secret of the site by HTTP Basic',
    optional: 'the id and secret of the site by HTTP Basic, where the site has to send them or wants to',
    accessToken: 'an access token as Bearer',
    parameters: ['Parameter', 'In', 'Type', 'Meaning'],
    fields: ['Member', 'Type', 'Meaning'],
    responses: ['Status', 'Body', 'Meaning'],
    required: 'required',
    schemas: 'Bodies',
    body: 'Body',
    list: 'list of',
    or: ' or ',
    upTo: (least: number | undefined, most: number | undefined, unit: string) =>
      most === undefined
        ? `at least ${least}${unit}`
        : least === undefined
          ? `up to ${most}${unit}`
          : `${least} to ${most}${unit}`,
    characters: ' characters',
    problemType: '[problem type](problems.md)',
  },
  ru: {
    title: 'HTTP API',
    intro:
      'Все запросы публичного порта. У работающего сервиса то же самое по адресу `/docs/` (на английском), а для генераторов — `/openapi.json` и `/openapi-3.0.json`. У API администратора [своя страница](../admin-api.md). На любой путь сервис отвечает и с косой чертой в конце, и без неё; каждый POST принимает форму, urlencoded или multipart, и JSON с теми же именами.',
    access: 'Доступ',
    none: 'открыт всем',
    site: 'идентификатор и секрет сайта в HTTP Basic',
    optional: 'идентификатор и секрет сайта в HTTP Basic, если сайт обязан или хочет их передавать',
    accessToken: 'токен доступа в виде Bearer',
    parameters: ['Параметр', 'Где', 'Тип', 'Смысл'],
    fields: ['Поле', 'Тип', 'Смысл'],
    responses: ['Статус', 'Тело', 'Смысл'],
    required: 'обязателен',
    schemas: 'Тела',
    body: 'Тело',
    list: 'список из',
    or: ' или ',
    upTo: (least: number | undefined, most: number | undefined, unit: string) =>
      most === undefined
        ? `от ${least}${unit}`
        : least === undefined
          ? `до ${most}${unit}`
          : `от ${least} до ${most}${unit}`,
    characters: ' символов',
    problemType: '[тип ошибки](problems.md)',
  },
} as const

type Words = (typeof words)[Language]

/** The page of every operation of the public API: who may call it, what it takes and what it answers. */
export function httpApiPage(language: Language, say: Say, document: OpenapiDocument): string {
  const said = words[language]
  const all = operations(document)
  const tags = document.tags.map(({ name, description }) =>
    [
      `## ${say(name)}`,
      `${say(description)}.`,
      ...all
        .filter(({ operation }) => operation.tags.includes(name))
        .map(({ id, operation }) => section(id, operation, said, say)),
    ].join('\n\n'),
  )
  const bodies = Object.entries(document.components.schemas).map(([name, schema]) =>
    [
      `### ${name}`,
      ...(schema.description === undefined ? [] : [`${say(schema.description)}.`]),
      table(said.fields, members(schema, said, say)),
    ].join('\n\n'),
  )
  return [head(language, 'http-api', said.title, said.intro), ...tags, `## ${said.schemas}`, ...bodies].join(
    '\n\n',
  )
}

function section(id: string, operation: Operation, said: Words, say: Say): string {
  const { summary, description, parameters = [], requestBody } = operation
  const parts = [`### ${id}`, `${say(summary)}.${description === undefined ? '' : ` ${say(description)}`}`]
  const facts = [`- **${said.access}:** ${access(operation, said)}`]
  if (requestBody !== undefined) {
    const [content] = Object.values(requestBody.content)
    facts.push(`- **${said.body}:** ${typeOf(content?.schema ?? {}, said)}`)
  }
  parts.push(facts.join('\n'))
  if (parameters.length > 0)
    parts.push(
      table(
        said.parameters,
        parameters.map((one) => [
          `\`${one.name}\`${one.required === true ? `, ${said.required}` : ''}`,
          one.in,
          typeOf(one.schema, said),
          meaning(one.description ?? one.schema.description, say),
        ]),
      ),
    )
  const rows = Object.entries(operation.responses).map(([status, response]) => {
    const [content] = Object.values(response.content ?? {})
    const problems = problemNamesOf(operation, status).map((name) => `[\`${name}\`](problems.md#${name})`)
    return [
      status,
      content?.schema === undefined ? '' : typeOf(content.schema, said),
      problems.length > 0 ? problems.join(', ') : meaning(response.description, say),
    ]
  })
  return [...parts, table(said.responses, rows)].join('\n\n')
}

function access({ security = [] }: Operation, said: Words): string {
  const schemes = security.flatMap((one) => Object.keys(one))
  if (schemes.includes('accessToken')) return said.accessToken
  if (!schemes.includes('site')) return said.none
  return security.some((one) => Object.keys(one).length === 0) ? said.optional : said.site
}

/** One row per member, those of nested objects with a dotted name. */
function members(schema: Schema, said: Words, say: Say, prefix = ''): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const path = `${prefix}${name}`
    const required = schema.required?.includes(name) === true ? `, ${said.required}` : ''
    const texts = [member.description, ...(member.anyOf ?? []).map((one) => one.description)]
    const row = [
      `\`${path}\`${required}`,
      typeOf(member, said),
      meaning(
        texts.find((text) => text !== undefined),
        say,
      ),
    ]
    return [
      row,
      ...nested(member).flatMap(([suffix, inner]) => members(inner, said, say, `${path}${suffix}.`)),
    ]
  })
}

/** The objects with members of their own inside a schema: itself, the items of a list, or what is not null. */
function nested(schema: Schema): [string, Schema][] {
  if (schema.properties !== undefined) return [['', schema]]
  if (schema.items !== undefined) return nested(schema.items).map(([suffix, inner]) => [`[]${suffix}`, inner])
  return (schema.anyOf ?? []).flatMap(nested)
}

function typeOf(schema: Schema, said: Words): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? ''
    return `[${name}](#${name.toLowerCase()})`
  }
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => typeOf(one, said)).join(said.or)
  if (schema.const !== undefined) return `\`${schema.const}\``
  if (schema.enum?.[0]?.startsWith('urn:') === true) return said.problemType
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${one}\``).join(', ')
  if (schema.type === 'array') return `${said.list} ${typeOf(schema.items ?? {}, said)}`
  const { type = 'string', format, minimum, maximum, minLength, maxLength } = schema
  const bounds = [
    ...(minimum === undefined && maximum === undefined ? [] : [said.upTo(minimum, maximum, '')]),
    // That a text is not empty goes without saying.
    ...(maxLength === undefined
      ? []
      : [said.upTo(minLength === 1 ? undefined : minLength, maxLength, said.characters)]),
  ]
  return [format === undefined ? type : `${type} (${format})`, ...bounds].join(', ')
}

const meaning = (text: string | undefined, say: Say) => (text === undefined ? '' : say(text))
