export { attachWebSocket } from './express/attach';
export type { Attachment } from './express/attachment';
export { isWebSocketUpgrade } from './express/gate';
export type { AttachOptions } from './express/options';
export { reject, type Rejection } from './express/rejection';
export {
  route,
  type Handler,
  type Handlers,
  type Route,
  type RouteOptions,
  type SocketOf,
} from './express/route';
export { CloseCode } from './protocol/close';
export type { Socket } from './socket/socket';
