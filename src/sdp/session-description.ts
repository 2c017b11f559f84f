/**
 * A session description (RFC 8866) as the list of its lines, so that what nobody changes leaves
 * with the bytes it came with: unknown lines, order, spacing and line ends all stay. Text is latin1
 * (one char = one byte). Values only: the caller owns them, every editing function of this folder
 * gives back a new one.
 */

/** The text is no session description; `message` says where. Answered with 488. */
export class SdpSyntaxError extends Error {
  override readonly name = "SdpSyntaxError";
}

/**
 * One m= line and what follows it. `formats` is the untouched rest of the m= line, "" when absent.
 */
export type MediaDescription = {
  readonly type: string;
  /** 0..65535; 0 = the stream is declined. */
  readonly port: number;
  /** The number of ports after "/", else null. */
  readonly portCount: number | null;
  readonly proto: string;
  readonly formats: string;
  /** The lines after m=, without line ends. */
  readonly lines: readonly string[];
};

/** `lines` is the session level, "v=0" first, without line ends. */
export type SessionDescription = {
  readonly lines: readonly string[];
  readonly media: readonly MediaDescription[];
  /**
   * CRLF only when every line ends so. In a text of mixed line ends it is LF and the lines that had
   * a CR carry it as their last character.
   */
  readonly lineEnd: "\r\n" | "\n";
  /** False when the last line had no line end. */
  readonly endsWithLineEnd: boolean;
};

export type SdpLimits = {
  readonly maxMedia: number;
  readonly maxLengthBytes: number;
  /** Each of them costs more memory than its bytes. */
  readonly maxLines: number;
};

const DEFAULT_LIMITS: SdpLimits = { maxMedia: 20, maxLengthBytes: 32_768, maxLines: 1000 };

// RFC 8866 §5.14, single spaces only: any other line could not be written back as it came.
const MEDIA_LINE =
  /^m=([!-~]+) (0|[1-9]\d{0,4})(?:\/([1-9]\d{0,4}))? ([!-~]+?)(\r?| [^\r\n][^\n]*)$/;

/** Throws SdpSyntaxError. CRLF, LF and a mixture are all kept. */
export function parseSessionDescription(
  text: string,
  limits: SdpLimits = DEFAULT_LIMITS,
): SessionDescription {
  if (text.length > limits.maxLengthBytes) throw new SdpSyntaxError("too long");
  const { lines, lineEnd, endsWithLineEnd } = splitLines(text);
  if (lines.length > limits.maxLines) throw new SdpSyntaxError("too many lines");
  if (!/^v=0\r?$/.test(lines[0] ?? "")) throw new SdpSyntaxError('does not start with "v=0"');
  checkLines(lines);
  const firstMedia = lines.findIndex((line) => line.startsWith("m="));
  const sessionEnd = firstMedia < 0 ? lines.length : firstMedia;
  const media = parseMedia(lines.slice(sessionEnd), limits.maxMedia);
  return { lines: lines.slice(0, sessionEnd), media, lineEnd, endsWithLineEnd };
}

/** The exact bytes that were parsed, as far as nothing was changed. */
export function formatSessionDescription(description: SessionDescription): string {
  const lines = [...description.lines];
  for (const media of description.media) lines.push(formatMediaLine(media), ...media.lines);
  return lines.join(description.lineEnd) + (description.endsWithLineEnd ? description.lineEnd : "");
}

function splitLines(text: string): {
  lines: string[];
  lineEnd: "\r\n" | "\n";
  endsWithLineEnd: boolean;
} {
  const endsWithLineEnd = text.endsWith("\n");
  const isCrlfOnly = text.includes("\r\n") && !/(^|[^\r])\n/.test(text);
  const lineEnd = isCrlfOnly ? "\r\n" : "\n";
  const lines = text.split(lineEnd);
  if (endsWithLineEnd) lines.pop();
  return { lines, lineEnd, endsWithLineEnd };
}

/**
 * A CR or NUL inside a line would let the next parser see a line that we did not: "a=x\rc=IN IP4
 * ...". Empty lines are tolerated at the end only, some phones send one.
 */
function checkLines(lines: readonly string[]): void {
  let isAtEnd = true;
  for (let at = lines.length - 1; at >= 0; at--) {
    const line = lines[at]!;
    if (isAtEnd && /^\r?$/.test(line)) continue;
    isAtEnd = false;
    if (!/^[A-Za-z]=/.test(line)) throw new SdpSyntaxError(`line ${at + 1} is not "type=value"`);
    if (/[\0\n]|\r(?!$)/.test(line))
      throw new SdpSyntaxError(`line ${at + 1} has a control character`);
  }
}

function parseMedia(lines: readonly string[], maxMedia: number): MediaDescription[] {
  const media: (MediaDescription & { readonly lines: string[] })[] = [];
  for (const line of lines) {
    if (!line.startsWith("m=")) {
      media.at(-1)?.lines.push(line);
      continue;
    }
    if (media.length === maxMedia) throw new SdpSyntaxError(`more than ${maxMedia} m= lines`);
    media.push(parseMediaLine(line));
  }
  return media;
}

function parseMediaLine(line: string): MediaDescription & { readonly lines: string[] } {
  const match = MEDIA_LINE.exec(line);
  if (match === null) throw new SdpSyntaxError("malformed m= line");
  const [, type = "", port = "", portCount, proto = "", rest = ""] = match;
  if (Number(port) > 65_535) throw new SdpSyntaxError("port of an m= line is above 65535");
  return {
    type,
    port: Number(port),
    portCount: portCount === undefined ? null : Number(portCount),
    proto,
    formats: rest.startsWith(" ") ? rest.slice(1) : rest,
    lines: [],
  };
}

function formatMediaLine(media: MediaDescription): string {
  const ports = media.portCount === null ? `${media.port}` : `${media.port}/${media.portCount}`;
  const formats =
    media.formats === "" || media.formats === "\r" ? media.formats : ` ${media.formats}`;
  return `m=${media.type} ${ports} ${media.proto}${formats}`;
}
