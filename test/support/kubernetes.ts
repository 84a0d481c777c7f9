import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { parse, parseAllDocuments } from 'yaml'
import { findProgram } from './process.ts'
import { go, goProgram, python, runTool } from './tools.ts'

const Goal = Type.Object({
  apiVersion: Type.String(),
  kind: Type.String(),
  metadata: Type.Object({ name: Type.String(), namespace: Type.Optional(Type.String()) }),
})

/** A resource of Kubernetes as it would be sent to a cluster. */
export type Resource = Readonly<Record<string, unknown>> & {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

/** What `kubectl kustomize FOLDER` prints; where there is no kubectl, by a release of the library that it has inside. */
export async function render(folder: string): Promise<Resource[]> {
  const kubectl = findProgram('kubectl')
  const text =
    kubectl === undefined
      ? await runTool(await goProgram('sigs.k8s.io/kustomize/kustomize/v5@v5.7.1'), ['build', folder])
      : await runTool(kubectl, ['kustomize', folder])
  return parseAllDocuments(text).map((document) => Value.Parse(Goal, document.toJS()))
}

/** The releases of Kubernetes whose schemas are checked against: the oldest that is maintained, and the newest. */
export const releases = ['1.35', '1.37']

/**
 * Checks resources against the schemas of a release, strictly: an unknown member is a fault. The schemas are those of the
 * Python package kubernetes-validate and of the Gateway API. Those of the Prometheus Operator come by no registry that tests
 * may use: its kinds are left out here, and asserted in the test.
 * @throws {Error} naming each resource that is wrong, and what is wrong with it
 */
export async function validate(resources: readonly Resource[], release: string): Promise<void> {
  const program = await python(beside('requirements.txt'))
  const routes = resources.some(({ kind }) => kind === 'HTTPRoute') ? await gatewaySchema() : null
  const entries = resources
    .filter(({ apiVersion }) => apiVersion !== 'monitoring.coreos.com/v1')
    .map((resource) => ({ resource, schema: resource.kind === 'HTTPRoute' ? routes : null }))
  await runTool(program, [beside('validate.py'), release], { input: JSON.stringify(entries) })
}

const beside = (name: string) => fileURLToPath(new URL(`../deploy/${name}`, import.meta.url))

/** Where the Gateway API defines the kind HTTPRoute. */
const gatewayApi = 'sigs.k8s.io/gateway-api@v1.6.3'
const httpRoute = 'config/crd/standard/gateway.networking.k8s.io_httproutes.yaml'

const Definition = Type.Object({
  spec: Type.Object({
    versions: Type.Array(
      Type.Object({
        name: Type.String(),
        schema: Type.Object({ openAPIV3Schema: Type.Record(Type.String(), Type.Unknown()) }),
      }),
    ),
  }),
})

async function gatewaySchema(): Promise<unknown> {
  const downloaded = JSON.parse(await go(['mod', 'download', '-json', gatewayApi]))
  const { Dir } = Value.Parse(Type.Object({ Dir: Type.String() }), downloaded)
  const { versions } = Value.Parse(Definition, parse(await readFile(join(Dir, httpRoute), 'utf8'))).spec
  return closed(versions.find(({ name }) => name === 'v1')?.schema.openAPIV3Schema)
}

/** The schema with every object closed, as a cluster that validates strictly sees it. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).map(([name, value]) => [name, closed(value)] as const)
  const open = !('properties' in schema) || 'additionalProperties' in schema
  return { ...Object.fromEntries(entries), ...(!open && { additionalProperties: false }) }
}
