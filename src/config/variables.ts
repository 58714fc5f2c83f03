// The variables a process was given, without empty ones and those Kubernetes injects for services.

export type Variables = Readonly<Record<string, string | undefined>>;

export type Given = {
  variables: Record<string, string>;
  /** Names of variables that are ignored. */
  ignored: string[];
};

/** For a service `worker`, the kubelet sets WORKER_PORT=tcp://10.0.0.1:8081 in every container of the namespace. */
const PORT_NAME = /(^|_)PORT$/;
const SERVICE_LINK = /^(tcp|udp|sctp):\/\//;

/** Other programs also accept these in lower case, and prefer that. */
const ALSO_IN_LOWER_CASE = ['HTTPS_PROXY', 'NO_PROXY'];

/** Empty variables count as unset. */
export function readGiven(env: Variables): Given {
  const variables: Record<string, string> = {};
  const ignored: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === '') continue;
    if (PORT_NAME.test(name) && SERVICE_LINK.test(value)) ignored.push(name);
    else variables[name] = value;
  }
  for (const name of ALSO_IN_LOWER_CASE) {
    const value = variables[name.toLowerCase()];
    if (value !== undefined) variables[name] = value;
  }
  return { variables, ignored };
}
