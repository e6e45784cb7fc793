#include "common/base/http_server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <array>

#include "common/base/bytes.h"
#include "common/base/metrics.h"

namespace cairn {
namespace {

constexpr size_t kMaxHeadBytes = 8192;
constexpr Duration kRequestTime = 2s;

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

HttpReply refuse(int status, std::string body) { return {.status = status, .body = std::move(body)}; }

// Up to the empty line. too_big when it does not come within the limit.
Result<std::string> read_head(Stream& stream, Instant deadline) {
  std::string head;
  std::array<uint8_t, 1024> piece;
  while (head.find("\r\n\r\n") == std::string::npos) {
    if (head.size() > kMaxHeadBytes) return Error{Errc::too_big, "HTTP request"};
    ASSIGN(const size_t n, stream.read_some(piece, deadline));
    if (n == 0) return Error{Errc::unavailable, "closed within an HTTP request"};
    head += text_of({piece.data(), n});
  }
  return head;
}

}  // namespace

HttpReply answer_request(std::string_view head, const HttpServer::Pages& pages) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const size_t first = line.find(' ');
  const size_t second = line.rfind(' ');
  if (first == std::string_view::npos || second == first || !line.substr(second + 1).starts_with("HTTP/1.")) {
    return refuse(400, "This is not an HTTP/1 request.\n");
  }
  if (line.substr(0, first) != "GET") return refuse(405, "Only GET is answered.\n");
  std::string_view path = line.substr(first + 1, second - first - 1);
  path = path.substr(0, path.find('?'));
  const auto page = pages.find(path);
  if (page != pages.end()) return page->second();
  std::string known;
  for (const auto& [name, unused] : pages) known += " " + name;
  return refuse(404, "Known paths:" + known + "\n");
}

HttpServer::HttpServer(Network& network, Clock& clock, Pages pages)
    : network_(network), clock_(clock), pages_(std::move(pages)) {}

HttpServer::~HttpServer() { stop(); }

Status HttpServer::start(const Address& at) {
  ASSIGN(listener_, network_.listen(at));
  thread_ = Thread("http", [this] { serve(); });
  return {};
}

Address HttpServer::address() const { return listener_->address(); }

void HttpServer::stop() {
  if (!thread_.joinable()) return;
  {
    Lock lock(mutex_);
    stopping_ = true;
    if (serving_ != nullptr) serving_->shut_down();
  }
  listener_->shut_down();
  thread_.join();
}

void HttpServer::serve() {
  for (;;) {
    auto accepted = listener_->accept();
    if (!accepted.ok()) {
      Lock lock(mutex_);
      if (!stopping_) spdlog::error("metrics are no longer served: {}", accepted.error().what);
      return;
    }
    {
      Lock lock(mutex_);
      if (stopping_) return;
      serving_ = accepted->get();
    }
    answer(**accepted);
    Lock lock(mutex_);
    serving_ = nullptr;
  }
}

void HttpServer::answer(Stream& stream) {
  const Instant deadline = clock_.now() + kRequestTime;
  const auto head = read_head(stream, deadline);
  if (!head.ok() && head.code() != Errc::too_big) {
    spdlog::debug("http: {}", head.error().what);
    return;
  }
  const HttpReply reply =
      head.ok() ? answer_request(*head, pages_) : refuse(431, "The request is larger than 8 KiB.\n");
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                                reply.status, reason_of(reply.status), reply.type, reply.body.size());
  out += reply.body;
  const iovec piece{out.data(), out.size()};
  if (const Status sent = stream.write_all({&piece, 1}, deadline); !sent.ok()) {
    spdlog::debug("http: {}", sent.error().what);
  }
}

HttpServer::Pages standard_pages(const Metrics& metrics, std::function<std::string()> healthy) {
  HttpServer::Pages pages;
  pages["/metrics"] = [&metrics] {
    return HttpReply{.type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics.text()};
  };
  pages["/healthz"] = [healthy = std::move(healthy)] {
    const std::string trouble = healthy();
    return trouble.empty() ? HttpReply{.body = "ok\n"} : refuse(503, trouble + "\n");
  };
  return pages;
}

}  // namespace cairn
