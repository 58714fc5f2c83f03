// Kubernetes's own opinion of an object: its schema, of the version it names, and the fields that this version has.
import { HTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute';
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1/Ingress';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Service } from 'kubernetes-models/v1/Service';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import ts from 'typescript';
import type { KubernetesObject } from './chart.ts';

const CORE = 'kubernetes-models';
const OPERATOR = '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';

/** Each with a model, which validates by the OpenAPI schema, and the module of its type, which has the names of all fields. */
const KINDS: Record<string, { model: new (data: never) => { validate: () => void }; module: string }> = {
  Deployment: { model: Deployment, module: `${CORE}/apps/v1/Deployment` },
  ConfigMap: { model: ConfigMap, module: `${CORE}/v1/ConfigMap` },
  Service: { model: Service, module: `${CORE}/v1/Service` },
  ServiceAccount: { model: ServiceAccount, module: `${CORE}/v1/ServiceAccount` },
  PodDisruptionBudget: { model: PodDisruptionBudget, module: `${CORE}/policy/v1/PodDisruptionBudget` },
  NetworkPolicy: { model: NetworkPolicy, module: `${CORE}/networking.k8s.io/v1/NetworkPolicy` },
  Ingress: { model: Ingress, module: `${CORE}/networking.k8s.io/v1/Ingress` },
  HTTPRoute: { model: HTTPRoute, module: '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute' },
  PodMonitor: { model: PodMonitor, module: `${OPERATOR}/PodMonitor` },
  PrometheusRule: { model: PrometheusRule, module: `${OPERATOR}/PrometheusRule` },
  ScaledObject: { model: ScaledObject, module: '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject' },
};

/** What the schemas have against the objects. They know types, formats and what is required, and let unknown fields pass. */
export function findSchemaFaults(objects: KubernetesObject[]): string[] {
  return objects.flatMap((object) => {
    const known = KINDS[object.kind];
    if (!known) return [`${object.kind} is not known`];
    try {
      new known.model(object as never).validate();
      return [];
    } catch (error) {
      return [`${object.kind} ${object.metadata.name}: ${String(error)}`];
    }
  });
}

const SOURCE = 'objects.ts';

/** What the compiler has against the objects: a literal may have no field that its type does not have, at any depth. */
export function findTypeFaults(objects: KubernetesObject[]): string[] {
  const lines = objects.map(({ kind, ...rest }, index) => {
    const type = `import('${KINDS[kind]?.module ?? kind}').I${kind}`;
    return `export const object${index}: ${type} = ${JSON.stringify({ ...rest, kind })};`;
  });
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    lib: ['lib.es2025.d.ts'],
  };
  const host = ts.createCompilerHost(options);
  const program = ts.createProgram([SOURCE], options, {
    ...host,
    fileExists: (file) => file === SOURCE || host.fileExists(file),
    getSourceFile: (file, language) =>
      file === SOURCE ? ts.createSourceFile(file, lines.join('\n'), language) : host.getSourceFile(file, language),
  });
  const source = program.getSourceFile(SOURCE);
  return program.getSemanticDiagnostics(source).map(({ file, start = 0, messageText }) => {
    const { line = 0 } = file?.getLineAndCharacterOfPosition(start) ?? {};
    const { kind, metadata } = objects[line] ?? {};
    return `${kind ?? ''} ${metadata?.name ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
