//! Client libraries and programs that people use with RabbitMQ, run against a broker as their users run them.
//! `tests/clients/README.md` says what they need and how to point them at another broker.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod clients {
    mod aio_pika;
    mod amqp_tools;
    mod amqplib;
    mod amqprs;
    mod celery;
    mod lapin;
    mod pika;
}
