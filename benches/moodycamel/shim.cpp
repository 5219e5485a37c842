// What src/queues/moodycamel.rs calls of moodycamel::ConcurrentQueue<uint64_t>: a producer
// token for each thread that pushes, a consumer token for each that pops. Compiled by hand:
//
//   g++ -std=c++17 -O3 -DNDEBUG -shared -fPIC -I/usr/include/concurrentqueue \
//       benches/moodycamel/shim.cpp -o target/libmoodycamel.so
//
// The header is Debian's libconcurrentqueue-dev, or any other copy.

#include <concurrentqueue.h>

#include <cstddef>
#include <cstdint>

using Queue = moodycamel::ConcurrentQueue<std::uint64_t>;

namespace {

struct Producer {
    Queue& queue;
    moodycamel::ProducerToken token;
    explicit Producer(Queue& queue) : queue(queue), token(queue) {}
};

struct Consumer {
    Queue& queue;
    moodycamel::ConsumerToken token;
    explicit Consumer(Queue& queue) : queue(queue), token(queue) {}
};

}  // namespace

extern "C" {

Queue* mc_new() { return new Queue(); }
void mc_free(Queue* queue) { delete queue; }

Producer* mc_producer(Queue* queue) { return new Producer(*queue); }
void mc_producer_free(Producer* producer) { delete producer; }

Consumer* mc_consumer(Queue* queue) { return new Consumer(*queue); }
void mc_consumer_free(Consumer* consumer) { delete consumer; }

bool mc_push(Producer* producer, std::uint64_t item) {
    return producer->queue.enqueue(producer->token, item);
}

bool mc_push_batch(Producer* producer, const std::uint64_t* items, std::size_t count) {
    return producer->queue.enqueue_bulk(producer->token, items, count);
}

bool mc_pop(Consumer* consumer, std::uint64_t* item) {
    return consumer->queue.try_dequeue(consumer->token, *item);
}

std::size_t mc_pop_batch(Consumer* consumer, std::uint64_t* items, std::size_t max) {
    return consumer->queue.try_dequeue_bulk(consumer->token, items, max);
}

}  // extern "C"
