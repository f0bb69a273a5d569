"""How an event is called that has no fixed name: after its subject and its verb.

The names are what dashboards are built on, and spelled as they know them.
"""

from __future__ import annotations

VERBS = {
    "create": "created",
    "delete": "deleted",
    "deletecollection": "collection deleted",
    "get": "fetched",
    "head": "headers fetched",
    "list": "listed",
    "patch": "patched",
    "update": "updated",
    "watch": "watch started",
}

SUBJECTS = {
    "applications": "Application",
    "bannedusers": "BannedUser",
    "buildpipelineselectors": "BuildPipelineSelector",
    "componentdetectionqueries": "ComponentDetectionQuery",
    "components": "Component",
    "customruns": "CustomRun",
    "deploymenttargetclaims": "DeploymentTargetClaim",
    "deploymenttargets": "DeploymentTarget",
    "enterprisecontractpolicies": "EnterpriseContractPolicy",
    "environments": "Environment",
    "integrationtestscenarios": "IntegrationTestScenario",
    "internalrequests": "InternalRequest",
    "masteruserrecords": "MasterUserRecord",
    "memberoperatorconfigs": "MemberOperatorConfig",
    "memberstatuses": "MemberStatus",
    "notifications": "Notification",
    "nstemplatesets": "NSTemplateSet",
    "nstemplatetiers": "NSTemplateTier",
    "pipelineresources": "PipelineResource",
    "pipelineruns": "PipelineRun",
    "pipelines": "Pipeline",
    "promotionruns": "PromotionRun",
    "proxyplugins": "ProxyPlugin",
    "releaseplanadmissions": "ReleasePlanAdmission",
    "releaseplans": "ReleasePlan",
    "releases": "Release",
    "releasestrategies": "ReleaseStrategy",
    "remotesecrets": "RemoteSecret",
    "runs": "Run",
    "snapshotenvironmentbindings": "SnapshotEnvironmentBinding",
    "snapshots": "Snapshot",
    "socialevents": "SocialEvent",
    "spacebindings": "SpaceBinding",
    "spacerequests": "SpaceRequest",
    "spaces": "Space",
    "spiaccesschecks": "SPIAccessCheck",
    "spiaccesstokenbindings": "SPIAccessTokenBinding",
    "spiaccesstokendataupdates": "SPIAccessTokenDataUpdate",
    "spiaccesstokens": "SPIAccessToken",
    "spifilecontentrequests": "SPIFileContentRequest",
    "taskruns": "TaskRun",
    "tasks": "Task",
    "tiertemplates": "TierTemplate",
    "toolchainclusters": "ToolChainCluster",
    "toolchainconfigs": "ToolChainConfig",
    "toolchainstatuses": "ToolChainStatus",
    "useraccounts": "UserAccount",
    "usersignups": "UserSignup",
    "usertiers": "UserTier",
    "verificationpolicies": "VerificationPolicy",
}


def event_name(subject: str, verb: str) -> str:
    """Name an event; a subject or verb that its table lacks stays as it is."""
    return f"{SUBJECTS.get(subject, subject)} {VERBS.get(verb, verb)}"
