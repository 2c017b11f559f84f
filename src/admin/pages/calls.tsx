/** The calls of a proxy, running and ended: how each sounds, and why somebody hears nothing. */
import { Hono } from "hono";
import type { CallReport, CallsReport, LegReport, StreamReport } from "../../health/calls.ts";
import type { AdminEnv } from "../api/problem.ts";
import { findingText, type TextKey } from "../i18n/texts.ts";
import { Page, send, sendRefusal } from "./layout.tsx";
import { FilterBox } from "./parts.tsx";
import { Time } from "./states.tsx";
import { type Site, type View, viewOf } from "./view.ts";

/** Tens of thousands may run: the filter finds those that are not shown. */
const MOST_SHOWN = 200;
const NONE = "–";
/** Of the table of calls. */
const COLUMNS = 6;

function duration(seconds: number): string {
  const two = (part: number): string => String(part).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  const clock = `${two(minutes % 60)}:${two(seconds % 60)}`;
  return minutes < 60 ? clock : `${Math.floor(minutes / 60)}:${clock}`;
}

/** Of the audio that somebody hears; the worst where there are several streams. */
function worstMos(streams: readonly StreamReport[], leg: "phone" | "instance"): string {
  const known = streams.flatMap((stream) => stream[leg].mos ?? []);
  return known.length === 0 ? NONE : Math.min(...known).toFixed(1);
}

const percent = (value: number | null): string => (value === null ? NONE : `${value} %`);
const milliseconds = (value: number | null): string => (value === null ? NONE : `${value} ms`);

type Figure = readonly [name: TextKey, of: (leg: LegReport) => string | number];
const FIGURES: readonly Figure[] = [
  ["call.codec", ({ codec }) => codec ?? NONE],
  ["call.encryption", ({ isEncrypted }) => (isEncrypted ? "SRTP" : "RTP")],
  ["call.packets", ({ packets }) => packets],
  ["call.octets", ({ octets }) => octets],
  ["call.lost", ({ lost, lossPercent }) => `${lost} (${percent(lossPercent)})`],
  ["call.jitter", ({ jitterMs }) => milliseconds(jitterMs)],
  ["call.duplicates", ({ duplicates }) => duplicates],
  ["call.reordered", ({ reordered }) => reordered],
  ["call.round-trip", ({ roundTripMs }) => milliseconds(roundTripMs)],
  ["call.peer-loss", ({ peerLossPercent }) => percent(peerLossPercent)],
  ["call.peer-jitter", ({ peerJitterMs }) => milliseconds(peerJitterMs)],
  ["call.mos", ({ mos }) => mos ?? NONE],
  ["call.source", ({ source, moves }) => `${source ?? NONE}${moves === 0 ? "" : ` (${moves}×)`}`],
  ["call.foreign", ({ foreign }) => foreign],
  ["call.drops", ({ drops }) => dropsText(drops)],
];

function dropsText(drops: LegReport["drops"]): string {
  const all = Object.entries(drops).map(([reason, count]) => `${reason} ${count}`);
  return all.length === 0 ? NONE : all.join(", ");
}

function StreamFigures({ view, stream }: { view: View; stream: StreamReport }) {
  const { t } = view;
  const { type, phone, instance } = stream;
  return (
    <table>
      <thead>
        <tr>
          <th>{type}</th>
          <th>{t("call.from-phone")}</th>
          <th>{t("call.from-instance")}</th>
        </tr>
      </thead>
      <tbody>
        {FIGURES.map(([name, of]) => (
          <tr>
            <th scope="row">{t(name)}</th>
            <td>{of(phone)}</td>
            <td>{of(instance)}</td>
          </tr>
        ))}
        <tr>
          <th scope="row">{t("call.last-seen")}</th>
          {[phone, instance].map(({ lastSeen }) => (
            <td>{lastSeen === null ? NONE : <Time iso={lastSeen} />}</td>
          ))}
        </tr>
      </tbody>
    </table>
  );
}

/** Below the call, as wide as the table: the figures of both legs need the room. */
function Diagnosis({ view, call }: { view: View; call: CallReport }) {
  const { t, language } = view;
  const { diagnosis, streams, callId, reason } = call;
  const words = diagnosis.map((finding) => findingText(language, finding)).join(" · ");
  return (
    <td colspan={COLUMNS}>
      <details>
        <summary>
          {t("call.diagnosis")}: {words}
        </summary>
        <p class="hint">
          Call-ID {callId}
          {reason !== null && ` · ${t("call.reason", { reason })}`}
        </p>
        {streams.map((stream) => (
          <StreamFigures view={view} stream={stream} />
        ))}
      </details>
    </td>
  );
}

function CallRow({ view, call }: { view: View; call: CallReport }) {
  const { t } = view;
  const { begun, ended, instance, from, to, seconds, streams } = call;
  return (
    <>
      <tr class="with-next">
        <td>
          <Time iso={begun} />
        </td>
        <td>{instance}</td>
        <td>{`${from ?? "?"} → ${to ?? "?"}`}</td>
        <td class="number">
          {duration(seconds)}
          {ended === null && ` ${t("call.running")}`}
        </td>
        <td class="number">{worstMos(streams, "phone")}</td>
        <td class="number">{worstMos(streams, "instance")}</td>
      </tr>
      <tr>
        <Diagnosis view={view} call={call} />
      </tr>
    </>
  );
}

function CallTable({ view, calls }: { view: View; calls: readonly CallReport[] }) {
  const { t } = view;
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th>{t("call.begun")}</th>
            <th>{t("call.instance")}</th>
            <th>{t("call.who")}</th>
            <th class="number">{t("call.duration")}</th>
            <th class="number">{t("call.mos-phone")}</th>
            <th class="number">{t("call.mos-instance")}</th>
          </tr>
        </thead>
        <tbody>
          {calls.slice(0, MOST_SHOWN).map((call) => (
            <CallRow view={view} call={call} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

type CallsPageProps = {
  readonly view: View;
  readonly name: string;
  readonly wanted: string;
  /** null = it does not run. */
  readonly report: CallsReport | null;
};

function CallsPage({ view, name, wanted, report }: CallsPageProps) {
  const { t } = view;
  const { running, ended, calls } = report ?? { running: 0, ended: 0, calls: [] };
  const hidden = running + ended - Math.min(calls.length, MOST_SHOWN);
  return (
    <Page view={view} title={t("calls.title", { name })}>
      <p>{report === null ? t("calls.not-running") : t("calls.numbers", { running, ended })}</p>
      <p class="hint">{t("calls.hint")}</p>
      <FilterBox view={view} action={`/proxies/${name}/calls`} wanted={wanted} />
      {calls.length === 0 ? (
        <p class="empty">{t("calls.empty")}</p>
      ) : (
        <CallTable view={view} calls={calls} />
      )}
      {hidden > 0 && <p>{t("calls.more", { count: hidden })}</p>}
      <a class="button" href={`/proxies/${name}`}>
        {t("calls.back", { name })}
      </a>
    </Page>
  );
}

export function callRoutes(site: Site): Hono<AdminEnv> {
  const { proxies } = site.operations;
  const app = new Hono<AdminEnv>();
  app.get("/proxies/:name/calls", async (c) => {
    const view = viewOf(c, site);
    const name = c.req.param("name");
    const wanted = c.req.query("q") ?? "";
    const asked = await proxies.calls(name, wanted);
    if (!asked.ok && asked.refusal.type !== "not-running") {
      return sendRefusal(c, { view, refusal: asked.refusal, back: "/proxies" });
    }
    const report = asked.ok ? asked.value : null;
    return send(c, <CallsPage view={view} name={name} wanted={wanted} report={report} />);
  });
  return app;
}
