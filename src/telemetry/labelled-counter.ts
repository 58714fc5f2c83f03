// A counter with labels, as Prometheus text. Hundreds of tenants have tens of thousands of series: each keeps its line's beginning.

export type LabelledCounter<Label extends string> = {
  name: string;
  labelNames: readonly Label[];
  /** @param by 0 to begin the series */
  inc: (labels: Readonly<Partial<Record<Label, string>>>, by?: number) => void;
  render: () => string;
};

type Definition<Label extends string> = { name: string; help: string; labelNames: readonly Label[] };

export function createLabelledCounter<Label extends string>({
  name,
  help,
  labelNames,
}: Definition<Label>): LabelledCounter<Label> {
  const series = new Map<string, { begins: string; count: number }>();

  function toLine(labels: Readonly<Partial<Record<Label, string>>>): string {
    const pairs = labelNames.map((label) => `${label}="${escape(labels[label] ?? '')}"`);
    return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
  }

  return {
    name,
    labelNames,
    inc: (labels, by = 1) => {
      const key = labelNames.map((label) => labels[label] ?? '').join('\n');
      const known = series.get(key);
      if (known) known.count += by;
      else series.set(key, { begins: toLine(labels), count: by });
    },
    render: () => {
      let lines = '';
      for (const { begins, count } of series.values()) lines += `${begins} ${count}\n`;
      return `\n# HELP ${name} ${help}\n# TYPE ${name} counter\n${lines}`;
    },
  };
}

const escape = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
