//! Inventory service, which the order service calls on behalf of its callers.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt};
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};
use tonic_passport::{Authorized, ForwardedContext, ServerLayer, UserContext};
use tower::BoxError;

use crate::access_log::log_call;
use crate::proto::inventory_service_server::{
    InventoryService, InventoryServiceServer, SERVICE_NAME,
};
use crate::proto::{
    ListReservationsRequest, Reservation, ReserveAllResponse, ReserveRequest, StockLevel, StockLine,
};
use crate::{behind_gateway, operations};

/// The stock, and the quantity that one order may take. It is refilled at once.
const STOCK: [(&str, u32); 4] = [("tea", 1000), ("coffee", 1000), ("sugar", 500), ("cups", 12)];

/// Maximum number of reservations in a call of `ReserveAll`.
const MAX_RESERVATIONS: usize = 100;

/// Serves `InventoryService` with the rules of this descriptor set.
pub async fn serve(listener: TcpListener, descriptor_set: &[u8]) -> Result<(), BoxError> {
    let layer = ServerLayer::new(ForwardedContext::trust_private_network())
        .policy(operations::policy(SERVICE_NAME, descriptor_set)?);

    let routes = Routes::new(InventoryServiceServer::new(Inventory::default()));
    let routes = operations::add_to(routes, &[SERVICE_NAME]).await?;
    behind_gateway::serve(listener, layer, routes).await
}

#[derive(Default)]
struct Inventory {
    by_user: Arc<Mutex<HashMap<String, Vec<Reservation>>>>,
}

#[tonic::async_trait]
impl InventoryService for Inventory {
    async fn reserve(
        &self,
        request: Request<ReserveRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let user = Authorized::from_request(&request)?;
        log_call("Reserve", &user, &request);

        let reservation = reservation(&user, request.into_inner())?;
        self.add(&user, [reservation.clone()]);
        Ok(Response::new(reservation))
    }

    type ListReservationsStream = Pin<Box<dyn Stream<Item = Result<Reservation, Status>> + Send>>;

    async fn list_reservations(
        &self,
        request: Request<ListReservationsRequest>,
    ) -> Result<Response<Self::ListReservationsStream>, Status> {
        let user = Authorized::from_request(&request)?;
        log_call("ListReservations", &user, &request);

        let own = self.lock().get(user.id()).cloned().unwrap_or_default();
        Ok(Response::new(Box::pin(tokio_stream::iter(own).map(Ok))))
    }

    async fn reserve_all(
        &self,
        request: Request<Streaming<ReserveRequest>>,
    ) -> Result<Response<ReserveAllResponse>, Status> {
        let user = Authorized::from_request(&request)?;
        log_call("ReserveAll", &user, &request);

        let mut requests = request.into_inner();
        let mut reservations = Vec::new();
        while let Some(request) = requests.message().await? {
            if reservations.len() == MAX_RESERVATIONS {
                let message = format!("more than {MAX_RESERVATIONS} reservations at once");
                return Err(Status::invalid_argument(message));
            }
            reservations.push(reservation(&user, request)?);
        }
        self.add(&user, reservations.clone());
        Ok(Response::new(ReserveAllResponse { reservations }))
    }

    type CheckStockStream = Pin<Box<dyn Stream<Item = Result<StockLevel, Status>> + Send>>;

    async fn check_stock(
        &self,
        request: Request<Streaming<StockLine>>,
    ) -> Result<Response<Self::CheckStockStream>, Status> {
        let user = Authorized::from_request(&request)?;
        log_call("CheckStock", &user, &request);

        let levels = request.into_inner().map(move |line| {
            line.map(|line| StockLevel {
                sufficient: is_in_stock(&line),
                sku: line.sku,
                checked_for: user.id().to_owned(),
            })
        });
        Ok(Response::new(Box::pin(levels)))
    }
}

impl Inventory {
    fn add(&self, user: &UserContext, reservations: impl IntoIterator<Item = Reservation>) {
        self.lock().entry(user.id().to_owned()).or_default().extend(reservations);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Reservation>>> {
        self.by_user.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reservation(user: &UserContext, request: ReserveRequest) -> Result<Reservation, Status> {
    if let Some(line) = request.lines.iter().find(|line| !is_in_stock(line)) {
        let message = format!("not in stock: {} of {:?}", line.quantity, line.sku);
        return Err(Status::failed_precondition(message));
    }
    Ok(Reservation {
        order_id: request.order_id,
        reserved_by: user.id().to_owned(),
        lines: request.lines,
    })
}

fn is_in_stock(line: &StockLine) -> bool {
    STOCK.iter().any(|(sku, quantity)| *sku == line.sku && line.quantity <= *quantity)
}
