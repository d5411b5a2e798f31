export { attachWebSocket } from './express/attach';
export type { Attachment, CloseOptions, RouteSockets } from './express/attachment';
export type { PerMessageDeflateOptions } from './express/compression';
export type { Diagnostics } from './express/diagnostics';
export { isWebSocketUpgrade } from './express/gate';
export type { Metrics, RouteMetrics } from './express/metrics';
export type { AttachOptions, ErrorOrigin, Middleware, Origins, Pipeline } from './express/options';
export { reject, type Rejection } from './express/rejection';
export {
  route,
  type AuthInfo,
  type Handler,
  type Handlers,
  type PlainTypes,
  type Route,
  type RouteOptions,
  type SocketOf,
  type TypesOf,
} from './express/route';
export { wsRouter, type WsRouter, type WsRouterOptions } from './express/ws-router';
export { CloseCode } from './protocol/close';
export type {
  SocketCloseEvent,
  SocketErrorEvent,
  SocketEvent,
  SocketMessageEvent,
} from './socket/events';
export type { Sendable, SendOptions } from './socket/outgoing';
export type { Audience } from './socket/room-directory';
export type { Socket, SocketTypes } from './socket/socket';
export type { SocketStream } from './socket/socket-stream';
