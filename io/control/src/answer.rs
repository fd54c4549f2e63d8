//! What a call is answered with, and how it goes out: as a whole, or piece by piece as it comes.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::mpsc::Receiver;

use crate::server::Response;

/// What a call is answered with.
#[derive(Debug)]
pub enum Answer {
    /// A document or a failure.
    Document(Response),
    /// A text for other programs.
    Text {
        /// Of HTTP.
        content_type: &'static str,
        /// All of it.
        text: String,
    },
    /// Pieces as they come, until the other end of the channel is dropped. When the caller goes away the channel closes.
    Stream(Receiver<Vec<u8>>),
}

impl Answer {
    pub(crate) fn render(self) -> hyper::Response<Outgoing> {
        let (status, content_type, body) = match self {
            Self::Document(response) => {
                (response.status, "application/json", Outgoing::whole(response.body.to_string()))
            }
            Self::Text { content_type, text } => (200, content_type, Outgoing::whole(text)),
            Self::Stream(pieces) => (200, "application/x-ndjson", Outgoing::Pieces(pieces)),
        };
        let mut out = hyper::Response::new(body);
        *out.status_mut() =
            hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
        out.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        out
    }
}

/// A body on its way out.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Whole(Option<Bytes>),
    Pieces(Receiver<Vec<u8>>),
}

impl Outgoing {
    fn whole(text: String) -> Self {
        Self::Whole(Some(Bytes::from(text)))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(pieces) => {
                pieces.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(Bytes::from(piece)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}
