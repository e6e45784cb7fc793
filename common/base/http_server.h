// A tiny HTTP/1.1 responder for scrapers and health checks: GET of a few fixed paths, one connection at a time.
//
// A request has at most 8 KiB and 2 seconds, then its connection is closed; so the slowest client delays the next one
// by 2 seconds. Every answer closes its connection. No TLS, no bodies, no state: it is for an administrator's network.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/network.h"
#include "common/base/thread.h"

namespace cairn {

class Metrics;

struct HttpReply {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

class HttpServer {
 public:
  // By path, without the query. Called on the server's thread; answers at once.
  using Pages = std::map<std::string, std::function<HttpReply()>, std::less<>>;

  HttpServer(Network& network, Clock& clock, Pages pages);
  ~HttpServer();  // stops
  Status start(const Address& at);
  Address address() const;  // after start
  void stop();

 private:
  void serve();
  void answer(Stream& stream);

  Network& network_;
  Clock& clock_;
  const Pages pages_;
  std::unique_ptr<Listener> listener_;
  Mutex mutex_;
  Stream* serving_ = nullptr;  // guarded by mutex_: what stop() has to interrupt
  bool stopping_ = false;      // guarded by mutex_
  Thread thread_;
};

// /metrics and /healthz: 200 "ok" where healthy() gives an empty string, else 503 with what it says.
HttpServer::Pages standard_pages(const Metrics& metrics, std::function<std::string()> healthy);

// The head of a request, up to and with its empty line, to the reply. Pure.
HttpReply answer_request(std::string_view head, const HttpServer::Pages& pages);

}  // namespace cairn
