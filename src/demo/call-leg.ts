/**
 * One leg of a call at the demonstration instance: a dialog with one phone and the RTP port that faces it.
 * The call that owns the leg says what happens with packets and requests.
 */
import type { World } from "../io/types.ts";
import type { ServerTransaction } from "../sip/transaction.ts";
import { readAudio, wantsAudio } from "./audio-sdp.ts";
import { calledDialog, type DialogState } from "./dialog.ts";
import { RtpPort } from "./rtp-port.ts";
import type { DialogEvents, UserAgent } from "./user-agent.ts";

export type LegPlace = {
  readonly world: World;
  readonly agent: UserAgent;
  readonly address: string;
  /** Our Contact URI. */
  readonly contact: string;
};

const nothing = { response() {}, timeout() {}, failed() {} };

export class CallLeg {
  readonly place: LegPlace;
  readonly port: RtpPort;
  readonly sessionId: number;
  dialog: DialogState | null = null;
  /** The far end wants to hear something. */
  isWanted = false;
  #version = 0;
  #isClosed = false;

  private constructor(place: LegPlace, port: RtpPort) {
    this.place = place;
    this.port = port;
    this.sessionId = port.ssrc;
  }

  static async open(place: LegPlace, received: (packet: Uint8Array) => void): Promise<CallLeg> {
    const { world, address } = place;
    return new CallLeg(place, await RtpPort.open({ world, address, received }));
  }

  /** For an SDP of ours: each one counts up. */
  get own(): { local: { address: string; port: number }; sessionId: number; version: number } {
    this.#version += 1;
    return { local: this.port.local, sessionId: this.sessionId, version: this.#version };
  }

  /** Sends where this description says from now on. False = there is no audio in it. */
  follow(sdp: string): boolean {
    const remote = readAudio(sdp);
    if (remote === null) return false;
    this.isWanted = wantsAudio(remote.direction);
    this.port.target = remote.endpoint;
    return true;
  }

  /** Our side of the dialog an INVITE makes; `on` hears of it from now on. */
  answer(invite: ServerTransaction, tag: string, on: DialogEvents): DialogState {
    this.dialog = calledDialog(invite.request, tag);
    this.place.agent.open(this.dialog, on);
    return this.dialog;
  }

  /** Ends the dialog with a BYE when there is one, and gives the ports back. */
  hangUp(): void {
    if (this.dialog !== null) this.place.agent.sendIn(this.dialog, "BYE", {}, nothing);
    this.close();
  }

  /** Gives the ports back; the dialog ended already. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.dialog !== null) this.place.agent.close(this.dialog);
    this.dialog = null;
    this.port.close();
  }
}
